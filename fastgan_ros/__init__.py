"""The ROS 2 side: nodes against rclpy alone; all of the model's state lives in fastgan_core."""
